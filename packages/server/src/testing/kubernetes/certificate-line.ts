import { makeOwnCertificate } from '../../../../sandboxd/src/sandboxd/own-certificate.ts';

/** What sandboxd prints first in the pod of this UID. */
export function certificateLine(podUid: string): string {
  return makeOwnCertificate(podUid).line;
}
