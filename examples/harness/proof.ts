import type { Store } from '../../src/index.ts'
import type { Check } from './check.ts'

/** Seals what workers have not sealed yet and holds the whole log against its hash chain. */
export async function checkSeals(store: Store): Promise<Check> {
  await store.seal()
  const { to, head, isComplete, findings } = await store.verify()
  const isWhole = isComplete && to === head
  return {
    invariant: 'verify: every event is as it was sealed',
    looked: Number(to),
    faults: [
      ...findings.map(({ message }) => message),
      ...(isWhole ? [] : [`only ${to} of ${head} events were checked`]),
    ],
  }
}

/** Proves that log, positions and subscriptions add up. */
export async function checkAudit(store: Store): Promise<Check> {
  const { events, findings } = await store.audit()
  return {
    invariant: 'audit: log, positions, subscriptions add up',
    looked: Number(events),
    // A warning can have an innocent cause: a worker that has started just now owns nothing yet.
    faults: findings.filter(({ severity }) => severity === 'error').map(({ message }) => message),
  }
}
