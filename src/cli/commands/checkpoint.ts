import { Command } from 'commander'
import type { SignedCheckpoint } from '../../sequencer/integrity/signed-checkpoint.ts'
import { formatCount } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { readOptionFile, writeOptionFile } from '../option-file.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface CheckpointCommandOptions extends GlobalOptions {
  readonly privateKey: string
  readonly out?: string
}

/** `tidemark checkpoint`: signs where the hash chain has come to. */
export function checkpointCommand(host: Host): Command {
  return new Command('checkpoint')
    .description(
      'seal the log and sign where its hash chain has come to; keep the result elsewhere',
    )
    .requiredOption('--private-key <file>', 'Ed25519 private key (PEM)')
    .option('--out <file>', 'file to write, instead of stdout; it must not exist')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CheckpointCommandOptions>()
      const key = await readOptionFile(host.cwd, 'private-key', options.privateKey)
      const target = await resolveTarget(options, host)
      const checkpoint = await withStore(target, async (store) => {
        await store.seal()
        return store.exportCheckpoint(key)
      })
      await writeCheckpoint(host, options, checkpoint)
    })
}

async function writeCheckpoint(
  host: Host,
  options: CheckpointCommandOptions,
  checkpoint: SignedCheckpoint,
): Promise<void> {
  const json = JSON.stringify(checkpoint)
  if (options.out === undefined) {
    printResult(host, options, checkpoint, () => json)
    return
  }
  await writeOptionFile(host.cwd, 'out', options.out, `${json}\n`)
  const position = formatCount(BigInt(checkpoint.position))
  printResult(
    host,
    options,
    checkpoint,
    () => `wrote ${options.out}: signed at position ${position}`,
  )
}
