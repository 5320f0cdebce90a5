import { processIo } from '../process-io.ts';
import { runCli } from '../run-cli.ts';
import { fakeServerModule } from './fake-server-module.ts';

/** The whole command, except that the server it would host is the scripted one. */
process.exit(await runCli(processIo(async () => fakeServerModule)));
