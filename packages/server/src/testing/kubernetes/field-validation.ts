import * as client from '@kubernetes/client-node';

interface Attribute {
  readonly name: string;
  readonly baseName: string;
  readonly type: string;
}

const models = client as unknown as Readonly<
  Record<string, { getAttributeTypeMap?: () => readonly Attribute[] } | undefined>
>;

/**
 * The fields of an object that Kubernetes does not know, by the names that `fieldValidation=Strict` gives them: found
 * with the types that the client was generated with (`V1Pod` …).
 */
export function unknownFields(value: unknown, type = 'V1Pod', path = ''): string[] {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list !== undefined && Array.isArray(value)) {
    return value.flatMap((one, index) => unknownFields(one, list, `${path}[${index}]`));
  }
  const attributes = models[type]?.getAttributeTypeMap?.();
  if (attributes === undefined || value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = path === '' ? name : `${path}.${name}`;
    const attribute = attributes.find((one) => one.baseName === name);
    return attribute === undefined ? [here] : unknownFields(inner, attribute.type, here);
  });
}
