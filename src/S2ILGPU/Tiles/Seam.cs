// How the bodies of device primitives reach memory and the other lanes of their warp, where they run as ordinary C#.
#if KERNEL_LAB
global using Raw = S2ILGPU.KernelLab.Raw;
#else
global using Raw = S2ILGPU.Ilgpu.Raw;
#endif
