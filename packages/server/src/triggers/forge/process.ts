import type { ForgeTriggerConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { ForgeConversation, ForgeIssue } from '../../domain/ports/forge.ts';
import { acknowledge } from '../../store/deliveries/acknowledgements.ts';
import type { DeliveryOutcome, KeptDelivery } from '../../store/deliveries/deliveries.ts';
import { taskOfObject } from '../../store/deliveries/objects.ts';
import { done, ignored } from '../deliveries/outcome.ts';
import { handIn, triggerPlace, type TriggerParts } from '../hand-in.ts';
import { forgeContext, type ForgeContext, type Standing } from './context.ts';
import { mayStart, triggersFor } from './decide.ts';
import type { ForgeHappening } from './event.ts';
import type { askedPermissions, PermissionOf } from './permissions.ts';
import { forgeTriggersOf, projectOnForge } from './repository.ts';

export interface ForgeTriggerParts extends TriggerParts {
  /** Null: the project's forge has no people. */
  conversationOf(projectId: string): Promise<ForgeConversation | null>;
  readonly permissions: ReturnType<typeof askedPermissions>;
}

/** What a happening comes to before anything is made. */
export type ForgePlan =
  | { readonly kind: 'ignored'; readonly outcome: DeliveryOutcome }
  | {
      readonly kind: 'task';
      readonly trigger: ForgeTriggerConfig;
      readonly projectId: string;
      readonly key: string;
      readonly issue: ForgeIssue;
      readonly task: NonNullable<ForgeContext['task']>;
      readonly notes: readonly string[];
    };

/** The one key of an issue or pull request, whatever is done to it and by whichever trigger. */
export function objectKey(forge: string, repository: string, number: number): string {
  return `forge:${forge}:${repository.toLowerCase()}:issue:${number}`;
}

/** People of one conversation whose permission is asked; text of more is left out. */
const mostPeople = 50;

/** Works off a delivery of a forge. Safe to repeat. @throws BerthError of the forge, the database and `createTask` */
export async function processForgeDelivery(
  parts: ForgeTriggerParts,
  delivery: KeptDelivery,
  happening: ForgeHappening | null,
): Promise<DeliveryOutcome> {
  const plan = await planForge(parts, delivery.name, happening);
  if (plan.kind === 'ignored') return plan.outcome;
  const { trigger, projectId, key, issue, task, notes } = plan;
  const { taskId, isNew } = await taskOfObject(parts.db, { key, projectId }, () =>
    handIn(parts, trigger.name, delivery, { ...task, key, origin: 'forge', url: issue.url }),
  );
  await acknowledge(parts.db, { taskId, projectId, number: issue.number });
  return done(taskId, trigger.name, isNew ? notes : ['It has a task already.']);
}

/** What would be made of a happening, and why not. Asks the forge, changes nothing. */
export async function planForge(
  parts: ForgeTriggerParts,
  forge: string,
  happening: ForgeHappening | null,
  only?: string,
): Promise<ForgePlan> {
  const nothing = (...given: Parameters<typeof ignored>): ForgePlan => ({
    kind: 'ignored',
    outcome: ignored(...given),
  });
  if (happening === null) return nothing('DELIVERY_NOT_FOR_US');
  const { config } = parts.config.current();
  const project = projectOnForge(config, forge, happening.repository);
  if (project === null)
    return nothing('DELIVERY_NOT_FOR_US', { reason: 'Its repository is no project of this forge.' });
  const meant = triggersFor(happening, forgeTriggersOf(config, project.name)).filter(
    ({ name }) => only === undefined || name === only,
  );
  const [first] = meant;
  if (first === undefined) return nothing('DELIVERY_NOT_FOR_US');
  // Before anything is asked or answered: whoever is a bot, or writes as Berth does, is not spoken with.
  if (happening.actor.isBot || happening.isOfBerth)
    return nothing('DELIVERY_OF_BOT', { trigger: first.name });
  const { projectId } = await triggerPlace(parts, first.name);
  const conversation = await parts.conversationOf(projectId);
  if (conversation === null)
    return nothing('DELIVERY_NOT_FOR_US', { reason: 'Its project has no forge with people.' });
  const self = await conversation.self();
  const isSelf = (login: string): boolean => login.toLowerCase() === self.login.toLowerCase();
  if (isSelf(happening.actor.login)) return nothing('DELIVERY_OF_BOT', { trigger: first.name });
  const permissionOf = parts.permissions(`${forge} ${happening.repository.toLowerCase()}`, conversation);
  const permission = await permissionOf(happening.actor.login);
  const trigger = meant.find((one) => mayStart(permission, one.authors));
  if (trigger === undefined) {
    return nothing('DELIVERY_NOT_PERMITTED', {
      reason: `Whoever did it has the permission ${permission}; ${first.name} asks for ${first.authors}.`,
      trigger: first.name,
    });
  }
  const issue = await conversation.getIssue(happening.number);
  if (issue === null || issue.state === 'closed')
    return nothing('DELIVERY_OBJECT_GONE', { trigger: trigger.name });
  if (issue.isPullRequest && isSelf(issue.author.login)) {
    return nothing('DELIVERY_OF_OWN_CHANGE', { trigger: trigger.name });
  }
  const { task, notes } = await contextOf({ conversation, issue, isSelf, permissionOf, trigger }, happening);
  if (task === null) return nothing('DELIVERY_NOTHING_LEFT', { notes, trigger: trigger.name });
  const key = objectKey(forge, happening.repository, happening.number);
  return { kind: 'task', trigger, projectId, key, issue, task, notes };
}

async function contextOf(
  {
    conversation,
    issue,
    isSelf,
    permissionOf,
    trigger,
  }: {
    readonly conversation: ForgeConversation;
    readonly issue: ForgeIssue;
    readonly isSelf: (login: string) => boolean;
    readonly permissionOf: PermissionOf;
    readonly trigger: ForgeTriggerConfig;
  },
  { repository, number }: ForgeHappening,
): Promise<ForgeContext> {
  const comments = await conversation.listComments(number);
  const standings = new Map<string, Standing>();
  for (const { login, isBot } of [issue.author, ...comments.toReversed().map(({ author }) => author)]) {
    const name = login.toLowerCase();
    if (standings.has(name)) continue;
    if (isBot || isSelf(login)) standings.set(name, 'bot');
    else if (standings.size < mostPeople) standings.set(name, await permissionOf(login));
  }
  return forgeContext(`${repository}#${number}`, issue, comments, {
    standingOf: (login) => standings.get(login.toLowerCase()) ?? 'none',
    least: trigger.authors,
  });
}

/** For the dry run of one trigger. @throws BerthError `USAGE` */
export function forgeOfTrigger(
  { config }: Pick<TriggerParts, 'config'>,
  repository: string,
  trigger: ForgeTriggerConfig,
): string {
  const { config: now } = config.current();
  const found = now.forges.find(
    ({ name }) => projectOnForge(now, name, repository)?.name === trigger.project,
  );
  if (found === undefined)
    throw new BerthError('USAGE', 'The repository of the body is not that of the trigger’s project.');
  return found.name;
}
