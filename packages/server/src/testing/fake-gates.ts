import { BerthError } from '../domain/errors/index.ts';
import type { NewEvent } from '../domain/events/index.ts';
import { gateView } from '../domain/gate-view.ts';
import type { Gates } from '../domain/ports/gates.ts';
import type { RunState } from '../domain/run-state.ts';

/** Gates of the fake's runs: decided at once, by whoever asks. */
export function fakeGates(runs: {
  all(): readonly { readonly state: RunState; readonly project: string }[];
  append(runId: string, entry: NewEvent): void;
  goOn(runId: string): void;
}): Gates {
  const found = (id: string) => {
    for (const { state, project } of runs.all()) {
      const gate = state.runId === id ? state.gates.at(-1) : state.gates.find((one) => one.id === id);
      const run = { id: state.runId, project, title: state.created?.title ?? '' };
      if (gate !== undefined) return { gate, view: gateView(gate, { ...run, isOpen: state.gate === gate }) };
    }
    throw new BerthError('NOT_FOUND', `There is no gate ${id}.`);
  };
  return {
    async listOpen() {
      const open = runs.all().flatMap(({ state }) => state.gate ?? []);
      return { gates: open.map((gate) => found(gate.id).view), next: null };
    },
    get: async (id) => found(id).view,
    async decide(id, { verdict, by, comment }) {
      const { gate, view } = found(id);
      if (gate.decision !== null)
        throw new BerthError('GATE_DECIDED', `It was decided by ${gate.decision.by}.`);
      const data = { gateId: gate.id, verdict, by: by.id, comment, requestId: 'i-fake' };
      runs.append(view.run, { type: 'gate.decided', data });
      if (verdict === 'refused') {
        const sentence = `Refused by ${by.id}`;
        const end = { outcome: 'cancelled', code: 'GATE_REFUSED', sentence, next: null } as const;
        runs.append(view.run, { type: 'run.ended', data: end });
      } else runs.goOn(view.run);
      return found(gate.id).view;
    },
  };
}
