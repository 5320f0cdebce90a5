import { harmlessLine, type Event } from '@berth/client';
import type { Paint } from '../output/style.ts';
import { cut, textWidth } from '../output/text-width.ts';
import { timeOfDay } from '../output/units.ts';
import { fields } from './event-text.ts';
import type { SteerMode } from './steer-box.ts';

/** How long a message stays after the model has seen it. */
const seenForMs = 20_000;
/** Messages shown at once, the newest. */
const shownMost = 2;

interface Sent {
  readonly text: string;
  readonly mode: SteerMode;
  readonly atMs: number;
  messageId: string | null;
  failure: string | null;
}

/**
 * What became of the messages written here: `sent` when the server has it, `delivered` when it is in the run's log,
 * `seen by model` when the agent was told it. The log may be quicker than the answer to sending.
 */
export class Receipts {
  readonly #sent: Sent[] = [];
  readonly #delivered = new Set<string>();
  readonly #seen = new Map<string, { readonly seq: number; readonly atMs: number }>();

  /** Notes a message that is being sent; the answer or the failure is told to what this gives back. */
  add(
    text: string,
    mode: SteerMode,
    atMs: number,
  ): { readonly answered: (messageId: string) => void; readonly failed: (sentence: string) => void } {
    const sent: Sent = { text, mode, atMs, messageId: null, failure: null };
    this.#sent.push(sent);
    return {
      answered: (messageId) => {
        sent.messageId = messageId;
      },
      failed: (sentence) => {
        sent.failure = sentence;
      },
    };
  }

  event(event: Event, nowMs: number): void {
    const { messageId } = fields(event);
    if (typeof messageId !== 'string') return;
    if (event.type === 'message.received') this.#delivered.add(messageId);
    if (event.type === 'agent.told') this.#seen.set(messageId, { seq: event.seq, atMs: nowMs });
  }

  /** A line for each message that is under way, or was seen a moment ago. */
  lines(nowMs: number, columns: number, isAscii: boolean, paint: Paint): string[] {
    const open = this.#sent.filter((sent) => {
      const seen = sent.messageId === null ? undefined : this.#seen.get(sent.messageId);
      return seen === undefined || nowMs - seen.atMs < seenForMs;
    });
    return open.slice(-shownMost).map((sent) => {
      const state = this.#state(sent, isAscii);
      const head = ` you ${timeOfDay(new Date(sent.atMs).toISOString())} `;
      const room = columns - 1 - textWidth(head) - textWidth(state) - 4;
      if (room < 8) return cut(`${head}${state}`, columns - 1);
      return `${head}"${cut(harmlessLine(sent.text), room)}"  ${paint(sent.failure === null ? 'good' : 'bad', state)}`;
    });
  }

  #state(sent: Sent, isAscii: boolean): string {
    const done = isAscii ? ',' : ' ✔';
    if (sent.failure !== null) return cut(`NOT sent: ${harmlessLine(sent.failure)}`, 40);
    if (sent.messageId === null) return 'sending';
    const seen = this.#seen.get(sent.messageId);
    if (seen !== undefined) return `sent${done} delivered${done} seen by model (#${seen.seq})`;
    if (this.#delivered.has(sent.messageId)) {
      return `sent${done} delivered${sent.mode === 'after_step' ? ', read after this step' : ''}`;
    }
    return 'sent';
  }
}
