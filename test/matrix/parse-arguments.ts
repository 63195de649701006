/** What a run over the versions is asked to do. */
export interface MatrixArguments {
  /** Major versions, in the order asked for. */
  readonly versions: readonly string[]
  /** Handed to vitest as they are: files, names, options. */
  readonly vitest: readonly string[]
}

/**
 * Parses `[versions…] [-- vitest's arguments…]`. No version means all of them.
 *
 * @throws RangeError when a version is not among the supported ones.
 */
export function parseArguments(
  args: readonly string[],
  supported: readonly string[],
): MatrixArguments {
  const end = args.indexOf('--')
  const versions = end === -1 ? args : args.slice(0, end)
  const unknown = versions.filter((version) => !supported.includes(version))
  if (unknown.length > 0) {
    throw new RangeError(
      `no version is named "${unknown.join('", "')}"; there are: ${supported.join(', ')} ` +
        '(files stand after a further --)',
    )
  }
  return {
    versions: versions.length === 0 ? supported : [...new Set(versions)],
    vitest: end === -1 ? [] : args.slice(end + 1),
  }
}
