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

/**
 * Tells whether a term ended because the server could not read what the slot needs: WAL that is gone
 * though the slot still stands, as in some copies of a server's files, or a slot that was invalidated. To
 * try again would be in vain for ever.
 */
export function isUnreadable(error: unknown): boolean {
  const state = sqlstateOf(error)
  // System errors, such as a file that is missing, and errors within the server.
  return state === sqlstate.objectNotInPrerequisiteState || /^(58|XX)/.test(state ?? '')
}
