import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeHomes } from '../../packages/server/src/testing/remove-homes.ts';
import { benchmarks } from '../benchmarks.ts';

// One benchmark in a process of its own: memory and warm code of another cannot colour its figures.
const [name, speed] = process.argv.slice(2);
const benchmark = benchmarks.find((one) => one.name === name);
if (benchmark === undefined || process.send === undefined) {
  process.stderr.write('started by bench/run.ts, with the name of a benchmark\n');
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'));
// Sandboxes of root have other uids, which must be able to walk through.
chmodSync(directory, 0o711);
const stopping = new AbortController();
process.once('SIGTERM', () => {
  process.exitCode = 143;
  stopping.abort(new Error('the benchmark used up its time'));
});
try {
  const loaded = await benchmark.load();
  const measured = await loaded.run({ quick: speed === 'quick', directory, signal: stopping.signal });
  process.send(measured);
} catch (error) {
  process.exitCode ||= 1;
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
} finally {
  removeHomes(directory);
  process.disconnect();
}
