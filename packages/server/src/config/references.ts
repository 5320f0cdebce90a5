import type { Config, ForgeConfig } from '../domain/config/index.ts';

/** Every secret that a configuration refers to, with the key that does. Pure. */
export function secretsOf(config: Config): readonly { readonly key: string; readonly reference: string }[] {
  const all: (readonly [string, string | undefined])[] = [
    ['signIn.oidc.clientSecret', config.signIn.oidc?.clientSecret],
    ['signIn.trustedHeader.secret', config.signIn.trustedHeader?.secret],
    ['audit.signingKey', config.audit.signingKey],
    ['proposals.signingKey', config.proposals.signingKey],
    ['notifications.webhook.secret', config.notifications.webhook?.secret],
    ['secretSources.onePassword.token', config.secretSources.onePassword?.token],
    ...Object.entries(config.models.providers).map(
      ([name, provider]) => [`models.providers.${name}.apiKey`, provider.apiKey] as const,
    ),
    ...config.triggers.map(
      (one) => [`triggers.${one.name}`, one.kind === 'webhook' ? one.secret : undefined] as const,
    ),
    ...config.forges.flatMap((forge) => forgeSecrets(forge)),
    ...config.secrets.map(({ name, from }) => [`secrets.${name}`, from] as const),
  ];
  return all.flatMap(([key, reference]) => (reference === undefined ? [] : [{ key, reference }]));
}

function forgeSecrets(forge: ForgeConfig): (readonly [string, string | undefined])[] {
  const own = `forges.${forge.name}`;
  const privateKey = forge.kind === 'github' ? forge.app?.privateKey : undefined;
  return [
    [`${own}.token`, forge.token],
    [`${own}.privateKey`, privateKey],
    [`${own}.webhookSecret`, forge.webhookSecret],
  ];
}
