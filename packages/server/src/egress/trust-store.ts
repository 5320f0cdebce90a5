import { der } from '@berth/protocol';

const data = '1.2.840.113549.1.7.1';
const certBag = '1.2.840.113549.1.12.10.1.3';
const x509Certificate = '1.2.840.113549.1.9.22.1';
const friendlyName = '1.2.840.113549.1.9.20';
/** Oracle's mark of a trusted certificate, without which Java reads a store as empty; and "for any use". */
const trustedKeyUsage = '2.16.840.1.113894.746875.1.1';
const anyUsage = '2.5.29.37.0';

/**
 * A trust store for Java (PKCS #12, RFC 7292) with the certificates of a PEM file. Nothing in it is secret, so it has
 * no password, no encryption and no MAC; Java 8u301 and later read that.
 */
export function javaTrustStore(bundle: string): Buffer {
  const attribute = (id: string, value: Buffer): Buffer => der.sequence(der.oid(id), der.set(value));
  const bags = certificatesIn(bundle).map((certificate, at) =>
    der.sequence(
      der.oid(certBag),
      der.explicit(0, der.sequence(der.oid(x509Certificate), der.explicit(0, der.octetString(certificate)))),
      der.set(
        attribute(friendlyName, der.bmpString(`authority ${at}`)),
        attribute(trustedKeyUsage, der.oid(anyUsage)),
      ),
    ),
  );
  const contentInfo = (content: Buffer): Buffer =>
    der.sequence(der.oid(data), der.explicit(0, der.octetString(content)));
  const safe = der.sequence(contentInfo(der.sequence(...bags)));
  return der.sequence(der.integer(Buffer.from([3])), contentInfo(safe));
}

/** The certificates of a file as DER, in their order; whatever else stands in it is passed over. */
export function certificatesIn(text: string): Buffer[] {
  const found = text.matchAll(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----([^-]*)-----END/g);
  return [...found].map(([, body]) => Buffer.from(body!.replaceAll(/\s/g, ''), 'base64'));
}
