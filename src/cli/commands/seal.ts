import { Command } from 'commander'
import type { SealResult } from '../../sequencer/integrity/seal-all.ts'
import { formatCount } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

/** `tidemark seal`: continues the hash chain up to the head, now. */
export function sealCommand(host: Host): Command {
  return new Command('seal')
    .description('continue the hash chain over all that is sequenced; workers do it by and by')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const signal = host.stopSignals.listen(() => {})
      const result = await withStore(target, (store) => store.seal({ signal }))
      printResult(host, options, result, sealText)
    })
}

/** Says how far the log is sealed, for people. */
export function sealText({ position, sealed }: SealResult): string {
  const now = sealed === 0n ? 'nothing was left to seal' : `${formatCount(sealed)} events now`
  return `the log is sealed up to position ${formatCount(position)}: ${now}`
}
