import type { InstanceSummary } from '../../src/index.ts'
import { type Check, checkEach } from '../harness/check.ts'
import { notPaidInTime, paymentDueMs } from './fulfilment.ts'
import { ofType, type Records } from './records.ts'

/** Who does not pay in time loses the order: not earlier, and nobody who has paid before. */
export function checkTimers({ orders }: Records, instances: readonly InstanceSummary[]): Check {
  const late = instances.filter(({ reason }) => reason === notPaidInTime)
  return checkEach('what is not paid in time is cancelled, then', late, ({ id }) => {
    const events = orders.get(id) ?? []
    const [placed] = ofType(events, 'order.placed')
    const [cancelled] = ofType(events, 'order.cancelled')
    if (placed === undefined || cancelled === undefined) return [`${id} is not cancelled`]
    const afterMs = cancelled.recordedAt.getTime() - placed.recordedAt.getTime()
    return [
      ...(afterMs < paymentDueMs ? [`${id} was cancelled after ${afterMs} ms`] : []),
      ...(ofType(events, 'payment.charged').length > 0 ? [`${id} was charged`] : []),
    ]
  })
}
