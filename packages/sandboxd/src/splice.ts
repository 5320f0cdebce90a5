import type { Duplex } from 'node:stream';
import { pour } from '@berth/protocol';

/** Joins two byte streams in both directions, with back-pressure and half-close; the end of one by error ends both. */
export function splice(a: Duplex, b: Duplex): void {
  oneWay(a, b);
  oneWay(b, a);
}

/** Sends what comes out of one stream into another. */
export function oneWay(from: Duplex, to: Duplex): void {
  from.on('error', () => {});
  // One that is already over will not say so again.
  if (from.destroyed || to.destroyed) {
    from.destroy();
    to.destroy();
    return;
  }
  pour(from, to);
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
  to.on('close', () => {
    if (!to.writableFinished) from.destroy();
  });
}
