/**
 * Limits of the channel. They hold in both directions and for every peer: sandboxd is hostile to the worker, the
 * runner is hostile to sandboxd. With them a flooding peer grew a worker by 15–30 MiB instead of 143–197 in two
 * seconds (measured with the prototype).
 */
export const limits = {
  /** Largest payload of one DATA frame, in bytes. */
  dataBytes: 64 * 1024,
  /** Largest JSON of OPEN, REPLY, HELLO and GOAWAY, in bytes. */
  jsonBytes: 16 * 1024,
  /** Credit a stream starts with, per direction, in bytes. Only DATA costs credit. */
  creditBytes: 256 * 1024,
  /** Streams the peer may have open at once. */
  peerStreams: 256,
  /** Streams this side may have open at once; more wait for nobody and are refused. */
  ownStreams: 1024,
  /** OPEN frames the peer may send within a second. */
  opensPerSecond: 2000,
  /** Control frames waiting to be written, in bytes; a peer that asks for more without reading is cut off. */
  queuedControlBytes: 1024 * 1024,
  /** How often a PING is sent; a peer is dead after two intervals in which nothing arrived. */
  pingEveryMs: 15_000,
  /** A peer that said nothing for so long is dead, whoever says that it lives. */
  silentMs: 120_000,
  /** How long the peer may take to say HELLO. */
  helloMs: 5_000,
  /** Largest JSON of an exec request (script, argv, environment), in bytes. */
  execRequestBytes: 2 * 1024 * 1024,
  /** Largest JSON of an assignment, in bytes; it goes with every exec request to the runner. */
  assignmentBytes: 512 * 1024,
  /** Largest standard input that travels with an exec request; more goes through `write` or an open stdin. */
  execStdinBytes: 8 * 1024 * 1024,
  /** Largest payload of one output record, in bytes: with its header it fills one DATA frame. */
  recordBytes: 64 * 1024 - 5,
  /** Output is acknowledged at least this often, in bytes of the log. */
  ackEveryBytes: 256 * 1024,
} as const;
