import { processIo } from '../process-io.ts';
import { runCli } from '../run-cli.ts';

/**
 * The whole command, except that the server it would host is the scripted one. It is loaded by who hosts, as the real
 * one is: with it a start takes 0.9 s of processor time instead of 0.2.
 */
const loadServer = async () => (await import('./fake-server-module.ts')).fakeServerModule;
process.exit(await runCli(processIo(loadServer)));
