/**
 * Commands in hints, as whoever reads them can type them: `./berth` starts from a checkout where no `berth` is on the
 * PATH. The launcher says in BERTH_CALLED_AS how it was called; what is no plain path counts as unsaid.
 */
export function asCalled(text: string, env: Readonly<Record<string, string | undefined>>): string {
  const name = env['BERTH_CALLED_AS'] ?? '';
  if (name === 'berth' || !/^[\w./+@-]{1,200}$/.test(name)) return text;
  return text.replaceAll(/(^ *|[`|] ?|: |· )berth(?= [a-z[<-]|`)/gm, (_, before: string) => before + name);
}
