import type { Model } from '../domain/ports/model.ts';
import { redactTexts } from './cassette/redact-texts.ts';

/**
 * `model`, asked without secrets. Conversations are made of stored entries, which hold none that was known by then; one
 * that was learned later, or stands in the repository itself, is taken out here. Equal texts stay equal, so that
 * providers' caches work.
 */
export function redactedModel(model: Model, redact: (text: string) => string): Model {
  const { id, contextTokens, maxOutputTokens, price, simulated } = model;
  return {
    id,
    contextTokens,
    maxOutputTokens,
    price,
    simulated,
    call: (request, options) => model.call(redactTexts(request, redact), options),
  };
}
