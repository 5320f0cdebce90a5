/** The `berth` command whose embedded database lies where `E2E_DATABASES` says, also for root. */
import { processIo } from '../../packages/cli/src/process-io.ts';
import { runCli } from '../../packages/cli/src/run-cli.ts';
import { startServer } from '../../packages/server/src/main.ts';

const databaseRoot = process.env['E2E_DATABASES'] ?? '';
const io = processIo(() =>
  Promise.resolve({ startServer: (options) => startServer({ ...options, databaseRoot }) }),
);
process.exit(await runCli(io));
