import type { Accepted, NewEvent, Refused } from '../../src/index.ts'
import { AccountClosed, Deposited, Withdrawn } from './account.ts'
import { TransferRequested } from './transfer.ts'

/** What clients were told by the bank: their side of the books, which the log has to agree with. */
export class Book {
  deposited = 0n
  withdrawn = 0n
  /** Commands that were accepted. */
  accepted = 0
  /** Commands that were sent twice, and acted once. */
  repeated = 0
  /** Commands that lost every race of the store's attempts, and were sent again. */
  conflicts = 0
  /** Ids of the transfers that were taken on. */
  readonly transfers = new Set<string>()
  /** Refusals by their code. */
  readonly refused = new Map<string, number>()

  /** Notes the answers to one command, of which there are two if it was sent twice. */
  note(answers: readonly (Accepted | Refused)[]): void {
    const accepted = answers.filter((answer) => answer.ok)
    if (accepted.length > 1) this.repeated += 1
    const answer = accepted[0] ?? answers[0]
    if (answer?.ok === false) {
      const { code } = answer.rejection
      this.refused.set(code, (this.refused.get(code) ?? 0) + 1)
    }
    if (answer?.ok !== true) return
    this.accepted += 1
    for (const event of answer.events) this.enter(event)
  }

  /** Enters what has happened. */
  enter(event: NewEvent): void {
    if (Deposited.is(event)) this.deposited += BigInt(event.data.cents)
    if (Withdrawn.is(event)) this.withdrawn += BigInt(event.data.cents)
    if (AccountClosed.is(event)) this.withdrawn += BigInt(event.data.paidOut)
    if (TransferRequested.is(event)) this.transfers.add(event.data.transferId)
  }
}
