const shortestSecret = 6;

/**
 * `text` without any of `secrets` (plain, base64, URL-encoded, or masked in the middle as providers echo them)
 * and without anything else that has the look of an API key. At most `maxLength` characters, on one line.
 */
export function withoutKeys(text: string, secrets: readonly string[], maxLength = 400): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length < shortestSecret) continue;
    const forms = [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)];
    for (const form of forms) clean = clean.replaceAll(form, '[key]');
  }
  clean = clean
    // OpenAI answers "Incorrect API key provided: sk-abc*****wxyz": the ends of a key are still part of it.
    .replaceAll(/\b[\w-]*\*{3,}[\w*-]*/g, '[key]')
    .replaceAll(/\b(?:sk|pk|xai|gsk|key|or|AIza|hf|nvapi|glpat|ghp)[-_][\w-]{8,}/g, '[key]')
    .replaceAll(/\b(bearer)\s+[\w.~+/=-]{8,}/gi, '$1 [key]')
    // No control characters either: a provider's words are shown in terminals.
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean;
}
