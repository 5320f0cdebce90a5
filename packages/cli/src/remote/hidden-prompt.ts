import type { CommandContext } from '../command-context.ts';
import { failure } from '../failure.ts';

/**
 * Asks on stderr for something that must not show, and puts the terminal back whatever happens.
 * @throws ApiFailure `USAGE` when nobody can be asked, or the asking was ended
 */
export async function askHidden(context: CommandContext, question: string): Promise<string> {
  const { stdin } = process;
  if (!context.mayAsk || !stdin.isTTY) {
    throw failure(
      'USAGE',
      'There is nobody to ask for the token.',
      'Give it with --token-stdin or --token-file.',
    );
  }
  process.stderr.write(question);
  stdin.setRawMode(true);
  stdin.resume();
  stdin.setEncoding('utf8');
  let text = '';
  try {
    return await new Promise<string>((resolve, reject) => {
      const stopped = (): void => reject(failure('USAGE', 'No token was given; nothing was saved.'));
      stdin.on('end', stopped);
      stdin.on('data', (piece: string) => {
        for (const character of piece) {
          if (character === '\r' || character === '\n') return resolve(text);
          if (character === '\u0003' || character === '\u0004') return stopped();
          if (character === '\u007f' || character === '\b') text = text.slice(0, -1);
          else if (character === '\u0015') text = '';
          else if (character >= ' ') text += character;
        }
      });
    });
  } finally {
    stdin.removeAllListeners('data').removeAllListeners('end');
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write('\n');
  }
}
