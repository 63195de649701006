import { TidemarkError } from './tidemark-error.ts'

/** Says that an option has a value that cannot be used. */
export function optionInvalid(option: string, reason: string): TidemarkError {
  return new TidemarkError('OPTION_INVALID', `option "${option}" is not usable: ${reason}`, {
    details: { option, reason },
  })
}
