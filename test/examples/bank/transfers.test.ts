import { test } from 'vitest'
import { Account, Credited, Debited } from '../../../examples/bank/account.ts'
import { Transfer, TransferRequested } from '../../../examples/bank/transfer.ts'
import { transfers } from '../../../examples/bank/transfers.ts'
import { given, outcome } from '../../../src/testing/index.ts'

const { act } = transfers
const transferId = 't1'
const requested = TransferRequested({ transferId, from: 'a', to: 'b', cents: 5 })
const debited = Debited({ accountId: 'a', transferId, cents: 5 })
const credited = Credited({ accountId: 'b', transferId, cents: 5 })

test('completes a transfer once it is credited', () => {
  given(transfers, requested, debited)
    .when(credited)
    .then(act.command(Transfer, transferId, 'complete', { transferId }), act.complete())
})

test('returns what was debited when the other account refuses', () => {
  given(transfers, requested, debited, outcome.succeeded(Account, 'debit'))
    .when(outcome.rejected(Account, 'credit', 'ceiling', { ceiling: 1 }))
    .then(
      act.command(Transfer, transferId, 'fail', { transferId, reason: 'ceiling' }),
      act.fail('ceiling'),
    )
  given(
    transfers,
    requested,
    debited,
    outcome.succeeded(Account, 'debit'),
    outcome.rejected(Account, 'credit', 'ceiling', { ceiling: 1 }),
  )
    .when(outcome.succeeded(Transfer, 'fail'))
    .thenCompensates(
      act.command(Account, 'a', 'returnDebit', { accountId: 'a', transferId, cents: 5 }),
    )
})
