import type { ImportedEvent } from '../../src/index.ts'
import type { Chance } from '../harness/chance.ts'
import { AccountOpened, Deposited, Withdrawn } from './account.ts'

const dayMs = 86_400_000

export const dailyLimit = 500_00
export const ceiling = 1_500_00

/**
 * What the bank's old system has of its accounts: two weeks, in the order of time, up to yesterday. The same for
 * one seed and one day.
 */
export function oldBank(accounts: readonly string[], now: Date, chance: Chance): ImportedEvent[] {
  const midnight = new Date(now.toISOString().slice(0, 10)).getTime()
  const opened = accounts.map((accountId, index) => {
    const event = AccountOpened({ accountId, dailyLimit, ceiling })
    return booking(accountId, event, midnight - 14 * dayMs + index)
  })
  const days = Array.from({ length: 13 }, (_, index) => midnight - (13 - index) * dayMs)
  return [
    ...opened,
    ...days.flatMap((day) => accounts.flatMap((id) => dayOf(id, day, chance))),
  ].toSorted((a, b) => Number(a.recordedAt) - Number(b.recordedAt))
}

/** Pay in the morning, shopping in the evening: never more than was paid in that day. */
function dayOf(accountId: string, midnight: number, chance: Chance): ImportedEvent[] {
  const day = new Date(midnight).toISOString().slice(0, 10)
  const paid = chance.between(50_00, 100_00)
  const spent = chance.between(1, paid)
  const at = (hour: number) => midnight + hour * 3_600_000 + chance.between(0, 3_599_999)
  return [
    booking(accountId, Deposited({ accountId, cents: paid }), at(8)),
    booking(accountId, Withdrawn({ accountId, cents: spent, day }), at(18)),
  ]
}

function booking(accountId: string, event: ImportedEvent['event'], at: number): ImportedEvent {
  return { streamId: `account-${accountId}`, event, recordedAt: new Date(at) }
}

/** The end of last Tuesday, in UTC; never today. */
export function lastTuesday(now: Date): Date {
  const midnight = new Date(now.toISOString().slice(0, 10)).getTime()
  const daysSince = (new Date(midnight).getUTCDay() + 7 - 2) % 7 || 7
  return new Date(midnight - (daysSince - 1) * dayMs)
}
