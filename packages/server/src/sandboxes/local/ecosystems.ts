import type { Clock } from '../../domain/ports/clock.ts';
import {
  answersDirectory,
  askTool,
  createEcosystems,
  fetchText,
  rememberAnswers,
  type EcosystemSource,
} from '../../egress/index.ts';

/** Where the worker's own tools say their registries are; asked once, and remembered. */
export function workerEcosystems(clock: Clock): EcosystemSource {
  const { env } = process;
  const memory = { directory: answersDirectory(env), clock, env };
  return createEcosystems({ fetchText, ask: rememberAnswers(askTool, memory) });
}
