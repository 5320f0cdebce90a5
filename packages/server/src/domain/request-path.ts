/** Longest path that is compared with rules; no server of note takes more. */
const maxPathLength = 8_192;

/**
 * The path of a request as rules compare it, percent-decoded once, or null when servers could read it in more than one
 * way: dot segments, empty segments, backslashes, `;params`, encoded slashes, text that is encoded twice, control
 * characters, or what is no UTF-8. `path` may carry a query, which is left out. Pure.
 */
export function normalPath(path: string): string | null {
  const raw = path.split('?', 1)[0] ?? '';
  if (!raw.startsWith('/') || raw.length > maxPathLength || !/^[\x21-\x7e]+$/.test(raw)) return null;
  if (/[\\#;]/.test(raw)) return null;
  const text = decodedOnce(raw);
  // What is still an escape, or became a separator, is decoded again by some server.
  if (text === null || /%[0-9a-f]{2}|[\\;?#\p{Cc}]/iu.test(text)) return null;
  if (text.split('/').length !== raw.split('/').length) return null;
  const segments = text.slice(1).split('/');
  const unclear = segments.some(
    (segment, at) => segment === '.' || segment === '..' || (segment === '' && at < segments.length - 1),
  );
  return unclear ? null : text;
}

function decodedOnce(raw: string): string | null {
  try {
    return decodeURIComponent(raw);
  } catch {
    return null;
  }
}
