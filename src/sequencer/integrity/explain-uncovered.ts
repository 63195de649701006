import { type Finding, finding, findWhoChangedIt } from './finding.ts'
import type { UncoveredCommit } from './read-uncovered.ts'

/**
 * Says what events without a position are: skipped for good, or waiting for a sequencer.
 *
 * @param waiting how bad it is to wait; not bad for a log that no worker runs on, as a restored one.
 */
export function explainUncovered(commit: UncoveredCommit, waiting: Finding['severity']): Finding {
  const { streamId, version, eventCount, incarnation, transactionId } = commit
  const what = `${eventCount} events of transaction ${incarnation}.${transactionId}`
  if (!commit.isSkipped) {
    return finding({
      kind: 'event-waiting',
      severity: waiting,
      streamId,
      version,
      message: `${what} are committed and have no position yet`,
      remedy: 'run a worker; if one runs, its log says why it does not sequence',
    })
  }
  return finding({
    kind: 'event-skipped',
    streamId,
    version,
    message: `${what} have no row in the ledger, and no sequencer will come to them`,
    remedy: findWhoChangedIt,
  })
}
