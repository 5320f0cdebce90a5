import { harmless, harmlessLine, type Event, type Run } from '@berth/client';
import { colouredDiff } from '../output/diff.ts';
import type { Paint } from '../output/style.ts';
import type { KeyInput } from './keyboard.ts';
import { isForeground, Keyboard } from './keyboard.ts';
import type { Key } from './keys.ts';
import type { LiveControl } from './live-control.ts';
import { Receipts } from './receipts.ts';
import { SettledRows } from './settled-rows.ts';
import { boxLines, emptyBox, pressed, type BoxAct, type SteerBox, type SteerMode } from './steer-box.ts';

/** What the keys need of the view they belong to. */
export interface KeyedView {
  readonly paint: Paint;
  readonly isAscii: boolean;
  now(): number;
  columns(): number;
  run(): Run | null;
  /** Draws soon. */
  redraw(): void;
  /** A line into the scrollback. */
  say(text: string, isBad: boolean): void;
  print(text: string): void;
  /** Gives the terminal away while `work` lasts, and takes it again. */
  aside(work: () => Promise<void>): Promise<void>;
  suspend(): void;
}

/** The keyboard of a live view: the steering box, its receipts, and what the single keys do. */
export class LiveKeys {
  readonly #view: KeyedView;
  readonly #control: LiveControl;
  readonly #keyboard: Keyboard;
  readonly #receipts = new Receipts();
  #box: SteerBox = emptyBox;
  #isAside = false;

  constructor(input: KeyInput, write: (text: string) => void, view: KeyedView, control: LiveControl) {
    this.#view = view;
    this.#control = control;
    this.#keyboard = new Keyboard(input, write, (keys) => this.#onKeys(keys));
    this.on();
  }

  on(): void {
    // Continued in the background (`bg`): the terminal belongs to the shell.
    if (isForeground()) this.#keyboard.on();
  }

  off(): void {
    this.#keyboard.off();
  }

  event(event: Event): void {
    this.#receipts.event(event, this.#view.now());
  }

  /** The lines under the panel; in a terminal too narrow for one, only what is being answered or written. */
  lines(isNarrow: boolean): string[] {
    const columns = this.#view.columns();
    const isPaused = this.#view.run()?.status.state === 'paused';
    const facts = { columns, isHost: this.#control.isHost(), isPaused };
    const box = boxLines(this.#box, facts, this.#view.paint);
    if (isNarrow) return this.#box === emptyBox ? [] : box;
    return [...this.receipts(), ...box];
  }

  receipts(): string[] {
    const view = this.#view;
    return this.#receipts.lines(view.now(), view.columns(), view.isAscii, view.paint);
  }

  #onKeys(keys: readonly Key[]): void {
    for (const key of keys) {
      const { box, act } = pressed(this.#box, key);
      this.#box = box;
      if (act !== null) this.#act(act);
      // What is typed ahead of a pager is not meant for the run.
      if (this.#isAside) break;
    }
    this.#view.redraw();
  }

  #act(act: BoxAct): void {
    const control = this.#control;
    switch (act.kind) {
      case 'send':
        this.#send(act.text, act.mode);
        return;
      case 'diff':
        this.#show(async () => {
          const diff = await control.diff();
          return diff === '' ? 'Nothing is changed yet.\n' : colouredDiff(harmless(diff), this.#view.paint);
        });
        return;
      case 'log':
        this.#show(async () => this.#log(await control.events()));
        return;
      case 'pause': {
        const isPaused = this.#view.run()?.status.state === 'paused';
        this.#try(isPaused ? control.goOn() : control.pause());
        return;
      }
      case 'cancel':
        this.#try(control.cancel());
        return;
      case 'detach':
        control.leave('detach');
        return;
      case 'interrupt':
        control.leave('SIGINT');
        return;
      case 'suspend':
        this.#view.suspend();
        return;
      case 'quit':
        process.kill(process.pid, 'SIGQUIT');
        return;
      case 'redraw':
        this.#show(async () => null);
        return;
    }
  }

  #send(text: string, mode: SteerMode): void {
    const receipt = this.#receipts.add(text, mode, this.#view.now());
    this.#control
      .steer(text, mode)
      .then(receipt.answered, (error: unknown) => {
        receipt.failed(sentenceOf(error));
      })
      .finally(() => this.#view.redraw());
  }

  #log(events: readonly Event[]): string {
    const rows = new SettledRows(this.#view.paint, this.#view.isAscii);
    const columns = this.#view.columns();
    const lines = events.flatMap((event) => rows.push(event, columns));
    return [...lines, ...rows.flush(columns)].map((line) => `${line}\n`).join('');
  }

  /** Shows a text apart from the view and comes back to it; without a pager it goes into the scrollback. */
  #show(text: () => Promise<string | null>): void {
    if (this.#isAside) return;
    this.#isAside = true;
    const shown = this.#view.aside(async () => {
      const whole = await text();
      if (whole !== null && !(await this.#control.page(whole))) this.#view.print(whole);
    });
    this.#try(shown.finally(() => (this.#isAside = false)));
  }

  #try(work: Promise<unknown>): void {
    work
      .catch((error: unknown) => this.#view.say(sentenceOf(error), true))
      .finally(() => this.#view.redraw());
  }
}

function sentenceOf(error: unknown): string {
  return harmlessLine(error instanceof Error ? error.message : String(error));
}
