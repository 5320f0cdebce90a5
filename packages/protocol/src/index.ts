export {
  certificatePem,
  distinguishedName,
  extension,
  extensionIds,
  extensions,
  purposes,
  signCertificate,
  signedCertificate,
} from './certificate.ts';
export type { CertificateBody, CertificateFacts } from './certificate.ts';
export * from './channel-identity.ts';
export * as der from './der.ts';
export * from './dial.ts';
export * from './errors.ts';
export * from './frames.ts';
export * from './limits.ts';
export * from './messages.ts';
export * from './mux.ts';
export { chunksOf, MuxStream } from './mux-stream.ts';
export * from './records.ts';
export { pour, release } from './release.ts';
export { flag, integer, list, literal, object, optional, parseJson, ShapeError, text } from './shape.ts';
export type { Shape, Shaped } from './shape.ts';
export * from './time.ts';
