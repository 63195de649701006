import { z } from 'zod'
import { reactor, task } from '../../../src/index.ts'
import { largeAmount } from '../../worker/fixtures/account-rules.ts'
import { Deposited } from '../../worker/fixtures/accounts.ts'

/** A reactor that is not there from the beginning. */
export interface LateReactor {
  readonly name: string
  readonly from: 'now' | 'start'
}

/** Its jobs stay in the queue: no worker of the suite has the task. */
const reportLate = task('report-late', {
  payload: z.object({ event: z.string(), reactor: z.string() }),
  run: async () => {},
})

export function lateReactor({ name, from }: LateReactor) {
  return reactor(name, {
    events: [Deposited],
    from,
    on: {
      'account.deposited': ({ data, id }) =>
        data.amount > largeAmount ? reportLate({ event: id, reactor: name }) : null,
    },
  })
}
