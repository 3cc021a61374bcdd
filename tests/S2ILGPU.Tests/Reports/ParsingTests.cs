using S2ILGPU.Reports;
using Xunit;

namespace S2ILGPU.Tests.Reports;

/// <summary>Reading what ptxas and cuobjdump print.</summary>
public sealed class ParsingTests
{
    // ptxas 11.8 on one of our kernels; device functions come first, as ILGPU leaves them in its modules
    private const string Ptxas = """
        ptxas info    : 0 bytes gmem
        ptxas info    : Compiling entry function 'Kernel_Kernel' for 'sm_80'
        ptxas info    : Function properties for Kernel_Kernel
            16 bytes stack frame, 20 bytes spill stores, 48 bytes spill loads
        ptxas info    : Used 255 registers, 1024 bytes smem, 520 bytes cmem[0]
        """;

    // A masked and an unmasked loop around HMMA, a loop without, and the branch to itself that ends every kernel.
    private const string Sass = """
        	code for sm_80
        		Function : Kernel_Kernel
        	.headerflags    @"EF_CUDA_SM80 EF_CUDA_PTX_SM(EF_CUDA_SM80)"
                /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;                /* 0x00000a00ff017624 */
                                                                                                  /* 0x000fc400078e00ff */
                /*0010*/                   LDGSTS.E.BYPASS.128 [R122+0x800], [R2.64] ;            /* 0x0000000000007919 */
                /*0020*/              @!P0 BRA 0x10 ;                                             /* 0x000013a000000947 */
                /*0030*/                   LDSM.16.M88.4 R40, [R3] ;                              /* 0x000000282c50723c */
                /*0040*/                   LDSM.16.MT88.4 R44, [R3+0x400] ;                       /* 0x000000282c50723c */
                /*0050*/                   HMMA.16816.F32.BF16 R80, R44.reuse, R40, R80 ;         /* 0x000000282c50723c */
                                                                                                  /* 0x040b700000041850 */
                /*0060*/                   HMMA.16816.F32.BF16 R48, R44.reuse, R42, R48 ;         /* 0x0000002a2c30723c */
                /*0070*/                   MUFU.EX2 R0, R0 ;                                      /* 0x0000000000007308 */
                /*0080*/                   MUFU.RCP R0, R0 ;                                      /* 0x0000000000007308 */
                /*0090*/                   LDL R9, [R1+0x4] ;                                     /* 0x0000000000007308 */
                /*00a0*/               @P0 LDGSTS.E.BYPASS.128 [R122], [R2.64] ;                  /* 0x0000000000007919 */
                /*00b0*/               @P0 CALL.REL.NOINC 0x100 ;                                 /* 0x0000001000000944 */
                /*00c0*/                   BRA 0x30 ;                                             /* 0xffffec6000007947 */
                /*00d0*/                   FSEL R80, R80, -INF , P0 ;                             /* 0x000000282c50723c */
                /*00e0*/                   ISETP.GE.AND P0, PT, R122, R3, PT ;                    /* 0x000000037a00720c */
                /*00f0*/              @!UP0 BRA `(.L_1) 0x20 ;                                    /* 0x0000181000000947 */
                /*0100*/                   STL [R1+0x4], R9 ;                                     /* 0x0000000000007308 */
                /*0110*/                   EXIT ;                                                 /* 0x0000181000000947 */
                /*0120*/                   BRA 0x120;                                             /* 0xfffffff000007947 */
        		..........
        """;

    [Fact]
    public void Registers_and_spills()
    {
        Assert.Equal(new PtxasReport(255, 16, 20, 48, 1024), PtxasReport.Parse(Ptxas));
        const string Spills = "16 bytes stack frame, 20 bytes spill stores, 48 bytes spill loads";
        const string None = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads";
        Assert.Equal(new PtxasReport(32, 0, 0, 0, 0), PtxasReport.Parse(Ptxas.Replace(Spills, None)
            .Replace("255 registers, 1024 bytes smem", "32 registers")));
    }

    [Fact]
    public void A_function_before_the_kernel_is_not_the_kernel() =>
        Assert.Equal(255, PtxasReport.Parse("ptxas info    : Function properties for Exp2_1\n"
            + "    8 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads\n" + Ptxas).Registers);

    [Fact]
    public void An_error_message_is_no_report() =>
        Assert.Contains("syntax error", Assert.Throws<FormatException>(() => PtxasReport.Parse(
            "ptxas kernel.ptx, line 7; fatal   : Parsing error near '}': syntax error")).Message);

    [Fact]
    public void Instructions_with_their_names()
    {
        var listing = SassListing.Parse(Sass);
        Assert.Equal(19, listing.Instructions.Count);
        Assert.Equal(new SassInstruction(0x50, "HMMA.16816.F32.BF16", "R80, R44.reuse, R40, R80"),
            listing.Instructions[5]);
        Assert.Equal("HMMA", listing.Instructions[5].Root);
        Assert.Equal("@!UP0", listing.Instructions[15].Predicate);
        Assert.Equal("00f0 @!UP0 BRA `(.L_1) 0x20", listing.Instructions[15].ToString());
        Assert.Equal("EXIT", listing.Instructions[17].Root);
        Assert.Equal(2, listing.LocalAccesses);
    }

    [Fact]
    public void The_main_loop_has_the_largest_share_of_tensor_products()
    {
        var listing = SassListing.Parse(Sass);
        Assert.Equal(3, listing.Loops().Count());
        var loop = listing.MainLoop()!;
        Assert.Equal((0x30, 0xc0), (loop.Instructions[0].Address, loop.Instructions[^1].Address));
        Assert.Equal((10, 2, 2, 1, 1, 1), (loop.Instructions.Count, loop.Count("HMMA"), loop.Count("LDSM"),
            loop.Count("LDGSTS"), loop.Count("MUFU.EX2"), loop.Count("LDL")));
        Assert.Equal(0.2, loop.TensorShare, 12);
    }

    [Fact]
    public void Without_tensor_products_there_is_no_main_loop() =>
        Assert.Null(SassListing.Parse(Sass.Replace("HMMA", "FFMA")).MainLoop());
}
