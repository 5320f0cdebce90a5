/** The decisions of egress: of connections, of requests, of credentials. Pure; the door keeps to them. */
export { credentialFor, type CredentialChoice } from './credential-for.ts';
export { decide, type Allowed, type Verdict } from './decide-connection.ts';
export { decideRequest, overridesLine, type RequestLine, type RequestVerdict } from './decide-request.ts';
export { matchingRules, ruleText, type Ecosystem, type EcosystemHosts } from './matching-rules.ts';
