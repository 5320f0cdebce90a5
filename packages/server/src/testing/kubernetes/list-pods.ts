import type { V1Pod } from '../../sandboxes/kubernetes/api-types.ts';
import { selects, type PodStore } from './pod-store.ts';
import { Refusal } from './status.ts';

/** Where a list goes on: what it began with, and the last name of the page before. */
interface Place {
  readonly rv: number;
  readonly start: string;
}

/** A list of pods as the API server answers it: by label, in pages, whole or only their metadata. */
export function listPods(store: PodStore, url: URL, accept: string): object {
  const selector = url.searchParams.get('labelSelector') ?? '';
  const limit = Number(url.searchParams.get('limit') ?? '0');
  const given = url.searchParams.get('continue') ?? '';
  const place = given === '' ? null : (JSON.parse(Buffer.from(given, 'base64url').toString()) as Place);
  if (place !== null && place.rv < store.oldest)
    throw new Refusal(
      410,
      'Expired',
      'The provided continue parameter is too old to display a consistent list result.',
    );
  const rest = store
    .all()
    .filter((pod) => selects(selector, pod.metadata!.labels))
    .filter((pod) => place === null || pod.metadata!.name! > place.start);
  const items = limit > 0 ? rest.slice(0, limit) : rest;
  const rv = place?.rv ?? store.version;
  const left = rest.length - items.length;
  const metadata = {
    resourceVersion: String(rv),
    ...(left === 0
      ? {}
      : { continue: nextOf({ rv, start: items.at(-1)!.metadata!.name! }), remainingItemCount: left }),
  };
  if (accept.includes('as=PartialObjectMetadataList'))
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      // As the real one says it.
      items: items.length === 0 ? null : items.map(metadataOf),
    };
  return { kind: 'PodList', apiVersion: 'v1', metadata, items };
}

function nextOf(place: Place): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

function metadataOf({ metadata }: V1Pod): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}
