import { Command } from 'commander'
import { oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

/** `tidemark drop-slots`: lets the server remove WAL while no worker is to run. */
export function dropSlotsCommand(host: Host): Command {
  return new Command('drop-slots')
    .description(
      'drop the replication slots of the log, while no worker is to run; the next makes another',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const dropped = await withStore(target, (store) => store.dropSlots())
      printResult(host, options, { dropped }, dropSlotsText)
    })
}

/** Says which slots were dropped, for people. */
export function dropSlotsText({ dropped }: { readonly dropped: readonly string[] }): string {
  if (dropped.length === 0) return 'nothing to do: the log has no slot'
  return dropped.map((name) => `dropped slot "${oneLine(name)}"`).join('\n')
}
