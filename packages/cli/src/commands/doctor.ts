import { harmlessLine, type Doctor } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import type { Tone } from '../output/style.ts';

const marks: Readonly<Record<Doctor['checks'][number]['state'], readonly [string, string, Tone]>> = {
  pass: ['✔', 'ok', 'good'],
  warn: ['!', 'warn', 'warn'],
  fail: ['✖', 'FAIL', 'bad'],
  skip: ['–', 'skip', 'dim'],
};

/** `berth doctor`; exits 11 when something failed. */
export async function doctor(context: CommandContext, flags: CommonFlags): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const found = await session.client.doctor();
    const { out, paint } = context;
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(found);
    else {
      for (const check of found.checks) {
        const [mark, word, tone] = marks[check.state];
        const sentence = harmlessLine(check.sentence);
        if (!out.isTty) {
          out.write(`${[check.id, check.state, sentence, check.fix ?? '', check.ms].join('\t')}\n`);
          continue;
        }
        const shown = out.isAscii ? word.padEnd(4) : `${mark} ${word.padEnd(4)}`;
        out.write(`${paint(tone, shown)}  ${check.id.padEnd(16)}  ${sentence}\n`);
        if (check.fix !== null) out.write(`        ${paint('dim', 'fix:')} ${harmlessLine(check.fix)}\n`);
      }
    }
    return found.ok || flags.exitZero === true ? 0 : 11;
  });
}
