import type * as client from '@kubernetes/client-node';

/**
 * Objects of the API as they are on the wire: plain, with times as text. The client's own types are classes, whose times
 * are `Date`s only after its deserializer, which this driver does not need.
 */
type Plain<T> = T extends Date
  ? string
  : T extends ReadonlyArray<infer U>
    ? Array<Plain<U>>
    : T extends object
      ? { [K in keyof T]: Plain<T[K]> }
      : T;

export type V1Pod = Plain<client.V1Pod>;
export type V1PodSpec = Plain<client.V1PodSpec>;
export type V1PodCondition = Plain<client.V1PodCondition>;
export type V1Container = Plain<client.V1Container>;
export type V1ContainerState = Plain<client.V1ContainerState>;
export type V1ContainerStatus = Plain<client.V1ContainerStatus>;
export type V1EnvVar = Plain<client.V1EnvVar>;
export type V1SecurityContext = Plain<client.V1SecurityContext>;
export type V1Toleration = Plain<client.V1Toleration>;
export type V1Volume = Plain<client.V1Volume>;
export type V1VolumeMount = Plain<client.V1VolumeMount>;
export type V1Status = Plain<client.V1Status>;
/** A list, whose `continue` has another name in the client's types. */
export interface V1PodList {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: V1Pod[];
}
