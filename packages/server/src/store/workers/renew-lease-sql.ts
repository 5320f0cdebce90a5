/** Renews the lease of worker `$1` by `$2` milliseconds; no row when it ran out: a lease that ran out stays so. */
export const renewLeaseSql = `
  update workers set lease_expires_at = clock_timestamp() + $2 * interval '1 ms'
  where id = $1 and lease_expires_at > clock_timestamp() returning id`;
