/// The version of the programs.
package let plawVersion = "0.1.0"
