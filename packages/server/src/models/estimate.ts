import type { Message, ModelRequest, ModelUsage } from '../domain/ports/model.ts';

/** Frames of roles, tool calls and results; Anthropic adds up to 700 tokens of its own when there are tools. */
const tokensPerMessage = 16;
const tokensPerTool = 48;
const tokensOfToolUse = 800;

/**
 * An upper estimate of a request's input tokens, without a tokenizer: three letters of a word count as one token, all
 * else one per byte. Too high for prose by about a half; an estimate that is too low would let a run pass its limit.
 */
export function estimateTokens(request: Pick<ModelRequest, 'system' | 'messages' | 'tools'>): number {
  let tokens = systemTokens(request.system) + tokensPerMessage + toolTokens(request.tools);
  for (const message of request.messages) tokens += messageTokens(message);
  return Math.ceil(tokens);
}

/** The system text of the last requests: a run's stays the same from call to call, and most runs have the same. */
const systems = new Map<string, number>();
const mostSystems = 16;

function systemTokens(system: string): number {
  const known = systems.get(system);
  if (known !== undefined) return known;
  const tokens = textTokens(system);
  if (systems.size >= mostSystems) systems.clear();
  systems.set(system, tokens);
  return tokens;
}

/** The tools of a run are one list that does not change. */
const estimatedTools = new WeakMap<ModelRequest['tools'], number>();

function toolTokens(tools: ModelRequest['tools']): number {
  const known = estimatedTools.get(tools);
  if (known !== undefined) return known;
  let tokens = tools.length > 0 ? tokensOfToolUse : 0;
  for (const tool of tools) {
    tokens +=
      textTokens(tool.name) +
      textTokens(tool.description) +
      textTokens(JSON.stringify(tool.inputSchema)) +
      tokensPerTool;
  }
  estimatedTools.set(tools, tokens);
  return tokens;
}

/** Messages do not change once they are in a conversation, and a long one is estimated before every call. */
const estimated = new WeakMap<Message, number>();

function messageTokens(message: Message): number {
  const known = estimated.get(message);
  if (known !== undefined) return known;
  let tokens = tokensPerMessage;
  for (const part of message.parts) {
    tokens += tokensPerMessage;
    switch (part.type) {
      case 'text':
        tokens += textTokens(part.text);
        break;
      case 'reasoning':
        tokens += Math.max(
          textTokens(part.text),
          part.providerData === undefined ? 0 : textTokens(JSON.stringify(part.providerData)),
        );
        break;
      case 'tool-call':
        tokens +=
          textTokens(part.name) +
          textTokens(part.id) +
          textTokens(part.malformed ?? JSON.stringify(part.input ?? null));
        break;
      case 'tool-result':
        tokens += textTokens(part.name) + textTokens(part.id) + textTokens(part.text);
        break;
    }
  }
  estimated.set(message, tokens);
  return tokens;
}

/**
 * An upper estimate for a conversation of which a former call is known: what that call really counted, its
 * answer, and an estimate of what came after only. Nearer to the truth than `estimateTokens`, and as safe, as
 * long as system text and tools did not change.
 */
export function estimateGrownTokens(
  request: Pick<ModelRequest, 'messages'>,
  last: { readonly usage: ModelUsage; /** Messages of the former request. */ readonly messageCount: number },
): number {
  // The first message after them is the answer itself, which the usage already counts.
  const added: readonly Message[] = request.messages.slice(last.messageCount + 1);
  return (
    last.usage.inputTokens +
    last.usage.outputTokens +
    estimateTokens({ system: '', messages: added, tools: [] })
  );
}

const lettersPerToken = 3;
/** Longer runs of letters and digits than this are seldom words: keys, hashes, base64, packed code. */
const longestWord = 24;
/** Random letters and base64 come to 1.3 to 1.9 characters per token (measured with o200k and cl100k). */
const tokensPerDenseCharacter = 0.85;
const isLower = (unit: number): boolean => unit >= 0x61 && unit <= 0x7a;
const isUpper = (unit: number): boolean => unit >= 0x41 && unit <= 0x5a;
const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;

/**
 * Upper estimate of the tokens of one text: each hump of a word (`camel|Case`) holds a token per three letters,
 * and at least one; runs too long for a word count by the character; single spaces belong to the next word;
 * every other byte is a token of its own, as it is in the worst case of every byte-pair vocabulary.
 */
export function textTokens(text: string): number {
  let tokens = 0;
  let place = 0;
  while (place < text.length) {
    const unit = text.charCodeAt(place);
    if (isLower(unit) || isUpper(unit) || isDigit(unit)) {
      const end = runEnd(text, place);
      tokens += runTokens(text, place, end);
      place = end;
      continue;
    }
    // Each half of a surrogate pair counts 2: four bytes in all.
    if (unit === 0x20) tokens += text.charCodeAt(place + 1) === 0x20 ? 0.5 : 0;
    else if (unit < 0x80) tokens += 1;
    else if (unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff)) tokens += 2;
    else tokens += 3;
    place++;
  }
  return tokens;
}

function runEnd(text: string, from: number): number {
  let end = from;
  for (; end < text.length; end++) {
    const unit = text.charCodeAt(end);
    if (!isLower(unit) && !isUpper(unit) && !isDigit(unit)) break;
  }
  return end;
}

function runTokens(text: string, from: number, end: number): number {
  let tokens = 0;
  let hump = 0;
  for (let place = from; place < end; place++) {
    const unit = text.charCodeAt(place);
    const begins = isDigit(unit) || (isUpper(unit) && place > from && isLower(text.charCodeAt(place - 1)));
    if (begins) {
      tokens += Math.ceil(hump / lettersPerToken);
      hump = 0;
    }
    if (isDigit(unit)) tokens += 1;
    else hump++;
  }
  tokens += Math.ceil(hump / lettersPerToken);
  const length = end - from;
  return length > longestWord ? Math.max(tokens, length * tokensPerDenseCharacter) : tokens;
}
