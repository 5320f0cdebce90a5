/** More text than this is no settings file. */
const maxSettingsLength = 1_000_000;

/**
 * Addresses of the mirrors and repositories of a `settings.xml`. Comments and character data do not count, and neither
 * do addresses elsewhere (proxies, properties): a mirror or repository is what its element says. Pure.
 */
export function mavenUrls(settings: string): readonly string[] {
  if (settings.length > maxSettingsLength) return [];
  const text = settings.replaceAll(/<!--[^]*?-->/g, '').replaceAll(/<!\[CDATA\[[^]*?\]\]>/g, '');
  const found: string[] = [];
  for (const [, , body = ''] of text.matchAll(/<(mirror|repository|pluginRepository)>([^]*?)<\/\1>/g)) {
    const url = /<url>\s*([^<\s]+)\s*<\/url>/.exec(body)?.[1];
    // A blocked mirror is Maven's way to refuse plain http: nothing lies there.
    if (url !== undefined && !/<blocked>\s*true\s*<\/blocked>/.test(body)) found.push(entities(url));
  }
  return found;
}

function entities(text: string): string {
  return text.replaceAll('&amp;', '&');
}
