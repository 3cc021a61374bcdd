using ILGPU.Runtime;

namespace ILGPU;

public partial class Context
{
    /// <summary>The devices of one kind.</summary>
    /// <typeparam name="TDevice">The kind.</typeparam>
    public readonly ref struct DeviceCollection<TDevice>
        where TDevice : Device
    {
        private readonly TDevice[] _devices;

        internal DeviceCollection(TDevice[] devices) => _devices = devices;

        /// <summary>How many.</summary>
        public int Count => _devices.Length;

        /// <summary>One of them.</summary>
        /// <param name="deviceIndex">Its number.</param>
        /// <returns>The device.</returns>
        public TDevice this[int deviceIndex] =>
            (uint)deviceIndex < (uint)_devices.Length
                ? _devices[deviceIndex]
                : throw new NotSupportedException($"no {typeof(TDevice).Name} with number {deviceIndex}, there are {_devices.Length}");

        /// <summary>Enumerates them.</summary>
        /// <returns>The enumerator.</returns>
        public Enumerator GetEnumerator() => new(_devices);

        /// <summary>Goes through the devices.</summary>
        public ref struct Enumerator
        {
            private readonly TDevice[] _devices;
            private int _index;

            internal Enumerator(TDevice[] devices)
            {
                _devices = devices;
                _index = -1;
            }

            /// <summary>The device at hand.</summary>
            public TDevice Current => _devices[_index];

            /// <summary>Goes on.</summary>
            /// <returns>Whether there was another one.</returns>
            public bool MoveNext() => ++_index < _devices.Length;
        }
    }
}
