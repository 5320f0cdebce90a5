import type { Config } from '../domain/config/index.ts';
import type { SecretReference } from '../secrets/resolve-secret.ts';

/** `${env:NAME}` or `${file:/path}`, as `secretReferenceSchema` took it, in the form in which secrets are resolved. */
export function referenceOf(text: string): SecretReference {
  const [, kind, place] = /^\$\{(env|file):(.+)\}$/.exec(text) ?? [];
  return kind === 'file' ? { file: place ?? '' } : { env: place ?? '' };
}

/** Every secret that a configuration refers to, with the key that does. */
export function secretsOf(config: Config): readonly { readonly key: string; readonly reference: string }[] {
  const all: (readonly [string, string | undefined])[] = [
    ['signIn.oidc.clientSecret', config.signIn.oidc?.clientSecret],
    ['signIn.trustedHeader.secret', config.signIn.trustedHeader?.secret],
    ['audit.signingKey', config.audit.signingKey],
    ['notifications.webhook.secret', config.notifications.webhook?.secret],
    ...Object.entries(config.models.providers).map(
      ([name, provider]) => [`models.providers.${name}.apiKey`, provider.apiKey] as const,
    ),
  ];
  return all.flatMap(([key, reference]) => (reference === undefined ? [] : [{ key, reference }]));
}
