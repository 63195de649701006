import type { ServerFacts } from '../db/preflight.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'

/** Says why a server cannot be read by its WAL until somebody changes that; undefined when it can. */
export function walLevelObstacle({ walLevel }: ServerFacts): string | undefined {
  return walLevel === 'logical' ? undefined : `wal_level is "${walLevel}"`
}

const obstacles: Readonly<Record<string, string>> = {
  [sqlstate.insufficientPrivilege]: 'this user may not use replication',
  [sqlstate.lockNotAvailable]: 'a transaction that is open for long keeps a slot from being made',
  [sqlstate.configurationLimitExceeded]: 'no replication slot or sender is left',
  [sqlstate.protocolViolation]: 'the connection does not pass replication: a pooler, perhaps',
}

/** Says why a slot could not be had, if that is nothing which trying again at once could help. */
export function slotObstacle(error: unknown): string | undefined {
  const state = sqlstateOf(error)
  const obstacle = state === undefined ? undefined : obstacles[state]
  if (obstacle === undefined) return undefined
  return `${obstacle} (${error instanceof Error ? error.message : String(error)})`
}
