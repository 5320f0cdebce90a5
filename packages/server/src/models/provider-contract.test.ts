import { afterAll, beforeAll } from 'vitest';
import { fakeModel, startFakeProvider, teachContract, wires } from '../testing/fake-provider.ts';
import { contractAnswers, modelContract } from '../testing/model-contract.ts';
import { closedServer } from '../testing/raw-server.ts';
import { systemClock } from '../domain/clock.ts';
import { cassetteModel } from './cassette/play.ts';
import { script } from './cassette/script.ts';
import { withFallback } from './fallback.ts';

let provider: Awaited<ReturnType<typeof startFakeProvider>>;

beforeAll(async () => {
  provider = await startFakeProvider();
  teachContract(provider);
});
afterAll(async () => {
  await provider.stop();
});

for (const wire of wires) modelContract(wire, () => Promise.resolve(fakeModel(wire, provider.url)));

modelContract('fallback, the first one unreachable', async () => {
  const models = [fakeModel('openai', await closedServer()), fakeModel('anthropic', provider.url)];
  return withFallback(models, { clock: systemClock });
});

const { text, tools, after } = contractAnswers;
const cassette = script(
  [
    { turn: 0, expect: { lastUserIncludes: text.ask }, say: text.say },
    { turn: 0, expect: { lastUserIncludes: tools.ask }, say: tools.say, toolCalls: tools.calls },
    { turn: 1, say: after.say },
  ],
  { paceMs: 2 },
);
modelContract('cassette', () => Promise.resolve(cassetteModel(cassette, { clock: systemClock })));
