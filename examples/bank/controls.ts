import { alterAnswers, twice, withoutCompensation } from '../harness/alter-answers.ts'
import { transfers } from './transfers.ts'

/** Ways to break the bank on purpose. The checks have to find each. */
export const controls = ['no-compensation', 'credit-twice', 'tamper'] as const

export type Control = (typeof controls)[number]

/** Gives the process that workers run: the right one, or one that a control has broken. */
export function transfersUnder(control: string | undefined): typeof transfers {
  switch (control) {
    case 'no-compensation': // a debit whose credit is refused is not returned
      return alterAnswers(transfers, withoutCompensation)
    case 'credit-twice':
      return alterAnswers(transfers, twice('credit'))
    default:
      return transfers
  }
}
