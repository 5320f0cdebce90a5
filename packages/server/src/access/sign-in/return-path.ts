/**
 * Where a browser goes after signing in: a path of this server. Whatever could lead elsewhere (`//host`, `/\host`,
 * `https:`, control characters that browsers drop) becomes `/`. Pure.
 */
export function returnPath(wanted: string | undefined): string {
  if (wanted === undefined || wanted.length > 2_000 || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(wanted))
    return '/';
  const base = 'http://berth.invalid';
  if (!URL.canParse(wanted, base)) return '/';
  const url = new URL(wanted, base);
  // `/..//host` and the like become `//host` only when a parser has removed the dots.
  if (url.origin !== base || url.pathname.startsWith('//')) return '/';
  return `${url.pathname}${url.search}${url.hash}`;
}
