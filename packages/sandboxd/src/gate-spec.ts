import { isIP } from 'node:net';
import { integer, list, literal, object, optional, parseJson, text } from '@berth/protocol';
import type { Shape } from '@berth/protocol';

/** One thing that must not be reachable from the sandbox. */
export interface GateTarget {
  /** For people: `api-server`, `dns`, `metadata`, `node`, `worker`. */
  readonly name: string;
  /** An IP address: there is no DNS inside. */
  readonly host: string;
  readonly port: number;
  /** `tcp`: a connection is opened. `dns`: a query is sent by UDP. */
  readonly protocol: 'tcp' | 'dns';
}

/** The network gate of sandboxd: no command runs before all targets failed twice running. */
export interface NetworkGate {
  readonly targets: readonly GateTarget[];
  /** How long the network may take to close; default 15 s. Milliseconds. */
  readonly withinMs?: number;
  /** How often it is tried afterwards; default a minute. Milliseconds. */
  readonly everyMs?: number;
}

const address: Shape<string> = (value, at) => {
  const host = text({ min: 2, max: 64 })(value, at);
  if (isIP(host) === 0) throw new Error(`${at}: expected an IP address`);
  return host;
};

const gateShape = object({
  targets: list(
    object({
      name: text({ min: 1, max: 64, pattern: /^[A-Za-z0-9 ._:-]+$/ }),
      host: address,
      port: integer(1, 65_535),
      protocol: literal('tcp', 'dns'),
    }),
    32,
  ),
  withinMs: optional(integer(1, 600_000)),
  everyMs: optional(integer(100, 3_600_000)),
});

/** Checks the JSON of a gate. @throws Error naming the place; a gate without targets would prove nothing */
export function parseGate(json: string): NetworkGate {
  const gate = parseJson(Buffer.from(json), gateShape, 'gate');
  if (gate.targets.length === 0) throw new Error('gate.targets: expected at least one');
  return gate;
}
