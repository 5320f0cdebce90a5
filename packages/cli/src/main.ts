#!/usr/bin/env node
import { processIo } from './process-io.ts';
import { runCli } from './run-cli.ts';
import { loadServer } from './server-module.ts';

const code = await runCli(processIo(loadServer));
// A hosted server may leave handles behind; what was written is out (standard streams are synchronous here).
process.exit(code);
