import { isVisible, type VisibleProjects } from '../../domain/access.ts';
import type { Config, TriggerConfig } from '../../domain/config/index.ts';
import {
  triggerPrincipalId,
  type DeliveryView,
  type TriggerTrial,
  type TriggerView,
} from '../../domain/deliveries.ts';
import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import {
  listDeliveries,
  readDeliveryView,
  runDeliveryAgain,
  type DeliveryFilter,
  type DeliveryOutcome,
} from '../../store/deliveries/deliveries.ts';
import { knownTaskOfObject } from '../../store/deliveries/objects.ts';
import { findProject } from '../../store/runs/find-project.ts';
import { gitHubHappening } from '../forge/github-event.ts';
import { forgeOfTrigger, planForge, type ForgeTriggerParts } from '../forge/process.ts';
import { projectOnForge, repositoryPlace } from '../forge/repository.ts';
import { triggerPlace } from '../hand-in.ts';
import { planWebhook } from '../webhooks/plan.ts';

/** What the API asks about deliveries and triggers. Rights were decided before. */
export interface DeliveryPlane {
  list(filter: DeliveryFilter): Promise<readonly DeliveryView[]>;
  /** @throws BerthError `NOT_FOUND` */
  get(id: string): Promise<DeliveryView & { readonly body: string }>;
  /** @throws BerthError `NOT_FOUND`; `CONFLICT`: it is not settled */
  runAgain(id: string): Promise<DeliveryView>;
  triggers(visible: VisibleProjects): Promise<readonly TriggerView[]>;
  /**
   * What a trigger would make of a body; makes nothing.
   * @param event of a forge: `issues`
   * @throws BerthError `NOT_FOUND`, and what the forge throws
   */
  test(name: string, body: Readonly<Record<string, unknown>>, event: string): Promise<TriggerTrial>;
}

export function deliveryPlane(parts: ForgeTriggerParts): DeliveryPlane {
  const { db, config } = parts;
  const get: DeliveryPlane['get'] = async (id) => {
    const found = await readDeliveryView(db, id);
    if (found === null) throw new BerthError('NOT_FOUND', `There is no delivery ${id}.`);
    return found;
  };
  return {
    get,
    list: (filter) => listDeliveries(db, filter),
    async runAgain(id) {
      if (!(await runDeliveryAgain(db, id))) {
        const { state } = await get(id);
        throw new BerthError('CONFLICT', `The delivery ${id} is not settled: ${state}.`, {
          next: 'Wait until it is: `berth deliveries show ID`.',
        });
      }
      const { body: _, ...view } = await get(id);
      return view;
    },
    async triggers(visible) {
      const now = config.current().config;
      const views: TriggerView[] = [];
      for (const trigger of now.triggers) {
        const repository = now.projects.find(({ name }) => name === trigger.project)?.repository;
        const project = repository === undefined ? null : await findProject(db, repository);
        if (project !== null && isVisible(visible, project.id)) views.push(viewOf(now, trigger));
      }
      return views.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    async test(name, body, event) {
      const trigger = config.current().config.triggers.find((one) => one.name === name);
      if (trigger === undefined) throw new BerthError('NOT_FOUND', `There is no trigger ${name}.`);
      const trial = { schema: 'berth.trigger-trial/v1', trigger: name, project: trigger.project } as const;
      const not = ({
        code,
        reason,
        notes,
      }: Pick<DeliveryOutcome, 'code' | 'reason' | 'notes'>): TriggerTrial => ({
        ...trial,
        wouldStart: false,
        code,
        reason,
        title: null,
        text: null,
        notes: [...notes],
      });
      try {
        await triggerPlace(parts, name);
        if (trigger.kind === 'webhook') {
          const plan = await planWebhook(trigger, body);
          if (plan.kind === 'filtered')
            return not({ code: 'TRIGGER_FILTERED', reason: plan.reason, notes: [] });
          return {
            ...trial,
            wouldStart: true,
            code: null,
            reason: null,
            title: plan.title,
            text: plan.text,
            notes: [],
          };
        }
        const happening = gitHubHappening(event, body);
        if (happening === null) {
          return not({
            code: 'DELIVERY_NOT_FOR_US',
            reason: `This is no event ${event} that starts anything.`,
            notes: [],
          });
        }
        const plan = await planForge(
          parts,
          forgeOfTrigger(parts, happening.repository, trigger),
          happening,
          name,
        );
        if (plan.kind === 'ignored') return not(plan.outcome);
        const before = await knownTaskOfObject(db, plan.key);
        return {
          ...trial,
          wouldStart: before === null,
          code: null,
          reason: before === null ? null : `It has a task already: ${before}.`,
          ...plan.task,
          notes: [...plan.notes],
        };
      } catch (error) {
        const known = asBerthError(error);
        if (known.code !== 'EXPRESSION_FAILED' && known.code !== 'TRIGGER_GONE') throw known;
        return not({ code: known.code, reason: known.message, notes: [] });
      }
    },
  };
}

function viewOf(config: Config, trigger: TriggerConfig): TriggerView {
  return {
    schema: 'berth.trigger/v1',
    name: trigger.name,
    kind: trigger.kind,
    project: trigger.project,
    enabled: trigger.enabled,
    principal: triggerPrincipalId(trigger.name),
    path: pathOf(config, trigger),
    on: onOf(trigger),
  };
}

function pathOf(config: Config, trigger: TriggerConfig): string | null {
  if (trigger.kind === 'webhook') return `/api/v1/hooks/triggers/${trigger.name}`;
  const repository = config.projects.find(({ name }) => name === trigger.project)?.repository ?? '';
  const fullName = repositoryPlace(repository)?.name ?? '';
  const forge = config.forges.find(
    ({ name, webhookSecret, url }) =>
      webhookSecret !== undefined &&
      projectOnForge(config, name, withoutPrefix(fullName, url))?.name === trigger.project,
  );
  return forge === undefined ? null : `/api/v1/hooks/forges/${forge.name}`;
}

function withoutPrefix(fullName: string, url: string): string {
  const prefix = (URL.parse(url)?.pathname ?? '').replace(/^\/+|\/+$/g, '').toLowerCase();
  return prefix !== '' && fullName.startsWith(`${prefix}/`) ? fullName.slice(prefix.length + 1) : fullName;
}

function onOf(trigger: TriggerConfig): string {
  if (trigger.kind === 'webhook') {
    const count = trigger.when.length;
    return count === 0
      ? 'every signed request'
      : `signed requests with ${count} condition${count === 1 ? '' : 's'}`;
  }
  const { label, assignee, mention } = trigger.on;
  const causes = [
    ...(label === undefined ? [] : [`label ${label}`]),
    ...(assignee === undefined ? [] : [`assigned to ${assignee}`]),
    ...(mention === undefined ? [] : [`mention ${mention}`]),
  ];
  return `${causes.length === 0 ? 'nothing' : causes.join(', ')} (by people with ${trigger.authors})`;
}
