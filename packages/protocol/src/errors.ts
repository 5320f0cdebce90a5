/** Why a stream was reset; the number in a RESET frame. */
export const resetCodes = {
  cancelled: 0,
  refused: 1,
  unavailable: 2,
  internal: 3,
  takenOver: 4,
  tooMany: 5,
} as const;

export type ResetCode = keyof typeof resetCodes;

const resetNames = new Map<number, ResetCode>(
  (Object.entries(resetCodes) as Array<[ResetCode, number]>).map(([name, number]) => [number, name]),
);

/** The name of a reset number from the wire; unknown ones read as `cancelled`. */
export function resetName(code: number): ResetCode {
  return resetNames.get(code) ?? 'cancelled';
}

/** The peer broke the protocol; the channel is closed with it. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** One stream ended before its time; the channel goes on. */
export class StreamResetError extends Error {
  override readonly name = 'StreamResetError';
  readonly code: ResetCode;
  constructor(code: ResetCode, sentence = `The stream was reset (${code}).`) {
    super(sentence);
    this.code = code;
  }
}

/** The channel ended, and every stream of it. */
export class ChannelClosedError extends Error {
  override readonly name = 'ChannelClosedError';
  /** What the peer said in GOAWAY, or why this side closed it. */
  readonly reason: string;
  constructor(reason: string, options?: ErrorOptions) {
    super(`The channel is closed: ${reason}.`, options);
    this.reason = reason;
  }
}
