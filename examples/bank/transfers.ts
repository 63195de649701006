import { processManager } from '../../src/index.ts'
import { Account, Credited, Debited } from './account.ts'
import { Transfer, TransferRequested } from './transfer.ts'

/**
 * Moves money from one account to another: debit, then credit. When an account refuses, what was debited is
 * returned.
 */
export const transfers = processManager('transfers', {
  events: [TransferRequested, Debited, Credited],
  deciders: [Account, Transfer],
  id: ({ data }) => data.transferId,
  starts: ['transfer.requested'],
  // A new process begins with what comes next; a transfer that was asked for before its first worker counts, too.
  from: 'start',
  initial: () => ({ transferId: '', from: '', to: '', cents: 0 }),
  evolve: { 'transfer.requested': (_, { data }) => data },
  on: {
    'transfer.requested': ({ from, transferId, cents }, _, act) => {
      const debit = { accountId: from, transferId, cents }
      return act.command(Account, from, 'debit', debit, {
        compensate: act.command(Account, from, 'returnDebit', debit),
      })
    },
    'account.debited': ({ to, transferId, cents }, _, act) =>
      act.command(Account, to, 'credit', { accountId: to, transferId, cents }),
    'account.credited': ({ transferId }, _, act) => [
      act.command(Transfer, transferId, 'complete', { transferId }),
      act.complete(),
    ],
  },
  onRejected: ({ transferId }, { code: reason }, act) => [
    act.command(Transfer, transferId, 'fail', { transferId, reason }),
    act.fail(reason),
  ],
})
